/// Differences of one kind in one place beyond which only their presence is noted.
const SHOWN_PER_PLACE: usize = 5;

/// Differences found so far, as lines for a person.
#[derive(Default)]
pub(super) struct Findings {
    lines: Vec<String>,
    place: String,
    in_place: usize,
}

impl Findings {
    /// Notes a difference in `place`, for example a table; a place that differs everywhere is cut short.
    pub(super) fn add(&mut self, place: &str, difference: &str) {
        if self.place != place {
            place.clone_into(&mut self.place);
            self.in_place = 0;
        }
        self.in_place += 1;
        if self.in_place <= SHOWN_PER_PLACE {
            self.lines.push(format!("{place}: {difference}"));
        } else if self.in_place == SHOWN_PER_PLACE + 1 {
            self.lines.push(format!("{place}: … and more"));
        }
    }

    /// Notes that `original` and `restored` differ in `place`, unless they are equal.
    pub(super) fn expect_equal<T: PartialEq + std::fmt::Debug>(
        &mut self,
        place: &str,
        original: &T,
        restored: &T,
    ) {
        if original != restored {
            self.add(place, &format!("original has {original:?}, restored has {restored:?}"));
        }
    }

    pub(super) fn into_lines(self) -> Vec<String> {
        self.lines
    }
}
