"""Runs one callable or script for a Runnel task: request in, result or traceback out, both as JSON files."""

import asyncio
import importlib
import inspect
import json
import os
import runpy
import sys
import traceback


def find(path):
    """`pkg.module:attr.attr`, or `pkg.module.attr` with the longest module that can be imported."""
    if ":" in path:
        module, _, attributes = path.partition(":")
        return walk(importlib.import_module(module), attributes.split("."))
    parts = path.split(".")
    for count in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:count])
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            # only the module itself may be missing; a missing import inside it is the user's error
            if error.name is None or not (name + ".").startswith(error.name + "."):
                raise
            continue
        return walk(module, parts[count:])
    raise ModuleNotFoundError(f"no module in {path!r} can be imported from {sys.path[0]!r}", name=path)


def walk(found, attributes):
    for attribute in attributes:
        found = getattr(found, attribute)
    return found


def call(request):
    function = find(request["callable"])
    if "args" not in request:
        result = function()
    elif isinstance(request["args"], dict) and accepts(function, request["args"]):
        result = function(**request["args"])
    else:
        result = function(request["args"])
    if inspect.isawaitable(result):
        result = asyncio.run(await_it(result))
    return result


async def await_it(awaitable):
    return await awaitable


def accepts(function, arguments):
    try:
        inspect.signature(function).bind(**arguments)
    except TypeError:
        return False
    except ValueError:
        return True
    return True


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        request = json.load(file)
    sys.path.insert(0, request["search_path"])
    answer = {}
    try:
        if "callable" in request:
            answer["result"] = call(request)
        elif "path" in request:
            sys.argv = [request["path"]]
            runpy.run_path(request["path"], {"inputs": request.get("args")}, "__main__")
        else:
            sys.argv = ["<script>"]
            names = {"__name__": "__main__", "inputs": request.get("args")}
            exec(compile(request["script"], "<script>", "exec"), names)
        text = json.dumps(answer)
    except SystemExit:
        raise
    except BaseException as error:
        answer = {
            "error": f"{type(error).__name__}: {error}",
            "kind": type(error).__name__,
            "traceback": traceback.format_exc(),
        }
        text = json.dumps(answer)
        traceback.print_exc()
    sys.stdout.flush()
    with open(request["answer"], "w", encoding="utf-8") as file:
        file.write(text)
    if "error" in answer:
        sys.exit(1)


main()
