"""Looks, without running any of it, whether the app's handlers have the methods that their interfaces promise.

Run as a program with one JSON value in ``DAE_LOOK``: ``{"root", "handlers": [{"module", "name", "methods": [...]}]}``. Prints
``[{"file", "line", "lacks": [...]} or {"file", "absent": name}]``. What cannot be known without running it is not judged.
"""

import ast
import json
import os


def look(root, module, name, methods):
    path = os.path.join(root, *module.split("."))
    file = next((one for one in (path + ".py", os.path.join(path, "__init__.py")) if os.path.isfile(one)), None)
    if file is None:
        return None
    try:
        with open(file, "rb") as source:
            body = ast.parse(source.read()).body
    except (SyntaxError, ValueError):
        # Told when it is started, with its traceback.
        return None
    classes = {one.name: one for one in body if isinstance(one, ast.ClassDef)}
    shown = os.path.relpath(file, root)
    if name not in classes:
        plain = (ast.ClassDef, ast.FunctionDef, ast.Import, ast.Expr)
        others = [one for one in body if not isinstance(one, plain)]
        return None if others or "." in name else {"file": shown, "absent": name}
    found, left, line = set(), [name], 1
    while left:
        one = classes.pop(left.pop(), None)
        if one is None:
            return None
        for part in one.body:
            if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                found.add(part.name)
            elif isinstance(part, (ast.Assign, ast.AnnAssign)):
                targets = part.targets if isinstance(part, ast.Assign) else [part.target]
                found.update(target.id for target in targets if isinstance(target, ast.Name))
            elif not isinstance(part, (ast.Expr, ast.Pass)):
                return None
        if one.decorator_list or one.keywords or not all(isinstance(base, ast.Name) for base in one.bases):
            return None
        left += [base.id for base in one.bases if base.id != "object"]
        line = one.lineno if one.name == name else line
    lacks = [method for method in methods if method not in found]
    return None if "__getattr__" in found or not lacks else {"file": shown, "line": line, "lacks": lacks}


def main():
    told = json.loads(os.environ["DAE_LOOK"])
    looked = [look(told["root"], one["module"], one["name"], one["methods"]) for one in told["handlers"]]
    print(json.dumps(looked))


main()
