"""What schemathesis has to know of this API and cannot read from its document."""

import schemathesis


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """A cursor is a word of an earlier answer; nobody can make one up."""
    for path in raw_schema["paths"].values():
        for operation in path.values():
            parameters = operation.get("parameters", [])
            operation["parameters"] = [one for one in parameters if one["name"] != "cursor"]
