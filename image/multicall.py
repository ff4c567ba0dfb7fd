#!/usr/bin/python3
"""multicall.py BUILD_DIR OUT - links all programs of a static build into one executable.

They share most of what they link, above all OpenSSL; each alone is half of what the image may weigh. Each program is linked by itself first,
with the libraries of this tree and nothing else, and then keeps all of its names to itself: two programs may each have a function of
the same name. OUT is the relay, or the program that it is called as; OUT.map beside it tells what was linked. Prints the programs' names.
"""

import pathlib
import shlex
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
# The relay first: it answers to every other name.
PROGRAMS = ("uturn", "uturn-bench", "turncat")

# What stands in for parts of foreign libraries (bench/capture/pcap_static.c).
STAND_INS = ("dbus_create", "dbus_findalldevs")


def run(command, directory):
    # What is said on the way is not the result.
    subprocess.run([str(part) for part in command], cwd=directory, check=True, stdout=sys.stderr)


def targets(build):
    listed = subprocess.run(["ninja", "-C", build, "-t", "targets", "all"], check=True, capture_output=True, text=True).stdout
    return {line.split(":")[0] for line in listed.splitlines()}


def link_command(build, program):
    commands = subprocess.run(["ninja", "-C", build, "-t", "commands", program], check=True, capture_output=True, text=True).stdout
    command = shlex.split(commands.splitlines()[-1])
    assert command[command.index("-o") + 1] == program, f"not the link of {program}: {command}"
    return command


def is_foreign(argument):
    """A library that is not of this tree."""
    return argument.startswith("-l") or (argument.startswith("/") and argument.endswith((".a", ".so")))


def link_part(build, program, command):
    """The program as one object whose only name to the outside is NAME_main."""
    name = program.replace("-", "_")
    part = f"{name}_part.o"
    own = [argument for argument in command if not is_foreign(argument) and argument not in ("-static-pie", "-static", "-pie")]
    own[own.index("-o") + 1] = part
    run(["ninja", *(argument for argument in own if argument != part and argument.endswith((".o", ".a")))], build)
    run([*own, "-r", "-nostdlib", "-flinker-output=nolto-rel"], build)
    run(["objcopy", *(f"--keep-global-symbol={symbol}" for symbol in ("main", *STAND_INS)), part], build)
    run(["objcopy", f"--redefine-sym=main={name}_main", part], build)
    return part, f"{name}_main"


def table(programs):
    lines = [f"int {main}(int argc, char **argv);" for _, main in programs]
    lines += ["static const struct program programs[] = {"]
    lines += [f'\t{{"{program}", {main}}},' for program, main in programs]
    return "\n".join([*lines, "};", ""])


def main():
    build, out = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    programs = [program for program in PROGRAMS if program in targets(build)]
    parts, mains, foreign = [], [], []
    for program in programs:
        command = link_command(build, program)
        part, entry = link_part(build, program, command)
        parts.append(part)
        mains.append((program, entry))
        foreign += [argument for argument in command if is_foreign(argument) and argument not in foreign]
    (build / "multicall_programs.h").write_text(table(mains))
    run(
        [command[0], "-O2", "-static-pie", "-s", "-Wl,--gc-sections", f"-Wl,-Map={out}.map", f"-I{build}", "-o", out,
         HERE / "multicall.c", HERE / "stand_ins.c", *parts, "-pthread", "-Wl,--start-group", *foreign, "-Wl,--end-group"],
        build,
    )
    print(*programs)


if __name__ == "__main__":
    main()
