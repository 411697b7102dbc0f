"""A validator of JSON Schema 2020-12, as much of it as policy/schema.json uses.

What it does not know makes it fail, so that a schema never says more than is checked.
"""

import re

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "number": (int, float),
         "integer": int}
NOTES = ("$schema", "$comment", "$defs", "title", "description")


def is_type(value, name):
    return isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def same(one, other):
    return type(one) is type(other) and one == other


class Schema:
    def __init__(self, root):
        self.root = root

    def accepts(self, value, schema=None):
        schema = self.root if schema is None else schema
        return all(getattr(self, "rule_" + key.lstrip("$").lower())(value, rule, schema)
                   for key, rule in schema.items() if key not in NOTES)

    def rule_ref(self, value, rule, _schema):
        assert rule.startswith("#/$defs/"), rule
        return self.accepts(value, self.root["$defs"][rule.removeprefix("#/$defs/")])

    def rule_type(self, value, rule, _schema):
        return any(is_type(value, name) for name in ([rule] if isinstance(rule, str) else rule))

    def rule_enum(self, value, rule, _schema):
        return any(same(value, item) for item in rule)

    def rule_const(self, value, rule, _schema):
        return same(value, rule)

    def rule_anyof(self, value, rule, _schema):
        return any(self.accepts(value, schema) for schema in rule)

    def rule_not(self, value, rule, _schema):
        return not self.accepts(value, rule)

    def rule_minimum(self, value, rule, _schema):
        return not is_type(value, "number") or value >= rule

    def rule_maximum(self, value, rule, _schema):
        return not is_type(value, "number") or value <= rule

    def rule_minlength(self, value, rule, _schema):
        return not isinstance(value, str) or len(value) >= rule

    def rule_maxlength(self, value, rule, _schema):
        return not isinstance(value, str) or len(value) <= rule

    def rule_pattern(self, value, rule, _schema):
        return not isinstance(value, str) or re.search(rule.replace("$", r"\Z"), value) is not None

    def rule_items(self, value, rule, _schema):
        return not isinstance(value, list) or all(self.accepts(item, rule) for item in value)

    def rule_minitems(self, value, rule, _schema):
        return not isinstance(value, list) or len(value) >= rule

    def rule_maxitems(self, value, rule, _schema):
        return not isinstance(value, list) or len(value) <= rule

    def rule_required(self, value, rule, _schema):
        return not isinstance(value, dict) or all(key in value for key in rule)

    def rule_properties(self, value, rule, _schema):
        return not isinstance(value, dict) or all(self.accepts(value[key], schema)
                                                  for key, schema in rule.items() if key in value)

    def rule_additionalproperties(self, value, rule, schema):
        if not isinstance(value, dict):
            return True
        rest = [value[key] for key in value if key not in schema.get("properties", {})]
        return not rest if rule is False else all(self.accepts(item, rule) for item in rest)

    def rule_propertynames(self, value, rule, _schema):
        return not isinstance(value, dict) or all(self.accepts(key, rule) for key in value)

    def rule_minproperties(self, value, rule, _schema):
        return not isinstance(value, dict) or len(value) >= rule

    def rule_maxproperties(self, value, rule, _schema):
        return not isinstance(value, dict) or len(value) <= rule

    def rule_dependentschemas(self, value, rule, _schema):
        return not isinstance(value, dict) or all(self.accepts(value, schema)
                                                  for key, schema in rule.items() if key in value)
