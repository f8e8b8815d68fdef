// Writes storages in every form that JavaScript itself has. One storage per line of input: JSON of [key, value] pairs,
// each as hexadecimal digits of its UTF-16 units. One line of output per form: its name and the hexadecimal digits of the
// file's bytes.
const util = require("util");
const lines = require("fs").readFileSync(0, "latin1").trim().split("\n");
const text = (hex) => Buffer.from(hex, "hex").swap16().toString("utf16le");
const literal = (string) =>
  util.inspect(string, { maxStringLength: null, breakLength: Infinity, compact: true });
for (const line of lines) {
  const items = JSON.parse(line).map(([key, value]) => [text(key), text(value)]);
  // An object without a prototype, in which __proto__ is a key like any other.
  const storage = Object.create(null);
  for (const [key, value] of items) storage[key] = value;
  const json = JSON.stringify(storage);
  const forms = {
    stringify: json,
    pretty: JSON.stringify(storage, null, 4),
    tab: JSON.stringify(storage, null, "\t"),
    string: JSON.stringify(json),
    literal: literal(json),
    entries: JSON.stringify(Object.entries(storage)),
    named: JSON.stringify(Object.entries(storage).map(([name, value]) => ({ name, value })), null, 2),
    keyed: JSON.stringify(Object.entries(storage).map(([key, value]) => ({ key, value }))),
  };
  for (const [name, form] of Object.entries(forms)) {
    console.log(name, Buffer.from(form, "utf8").toString("hex"));
  }
  console.log("utf16", Buffer.from("\ufeff" + json, "utf16le").toString("hex"));
}
