//! How many more files this process may open.

/// How many more files this process may open now, counted up to `most`.
///
/// They are held while they are counted, so that another thread may find none meanwhile: to be asked before there are any
/// that open files.
#[must_use]
#[cfg(unix)]
pub fn free_descriptors(most: usize) -> usize {
    use std::os::fd::AsFd as _;
    let stream = std::io::stderr();
    let mut held = Vec::new();
    while held.len() < most {
        match stream.as_fd().try_clone_to_owned() {
            Ok(descriptor) => held.push(descriptor),
            Err(error) if crate::error::is_out_of_descriptors(&error) => break,
            // The stream is closed: nothing can be told.
            Err(_) => return most,
        }
    }
    held.len()
}

/// As many as one likes.
#[must_use]
#[cfg(not(unix))]
pub fn free_descriptors(most: usize) -> usize {
    most
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_counted_than_asked_for() {
        assert_eq!((free_descriptors(0), free_descriptors(3)), (0, 3));
    }
}
