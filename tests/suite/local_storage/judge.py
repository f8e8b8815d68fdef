"""Says of each line (hexadecimal digits of UTF-8) whether it is JSON, and what: strings as the hexadecimal digits of their
UTF-16 units, numbers as they are written, members of an object in their order."""
import json
import sys


def refuse(word):
    raise ValueError(word)


class Number(str):
    pass


def shape(value):
    if isinstance(value, Number):
        return "n" + value
    if isinstance(value, str):
        return "s" + value.encode("utf-16-be", "surrogatepass").hex()
    if isinstance(value, tuple):
        return "{" + ",".join(shape(name) + ":" + shape(member) for name, member in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(shape, value)) + "]"
    return {None: "z", True: "t", False: "f"}[value]


for line in sys.stdin:
    text = bytes.fromhex(line).decode("utf-8")
    try:
        value = json.loads(text, parse_int=Number, parse_float=Number, parse_constant=refuse, object_pairs_hook=tuple)
        print(shape(value))
    except ValueError:
        print("no")
