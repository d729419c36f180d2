"""The program itself: `hero` on the path, and `python -m hero`."""

import os
import sys

from ._process import program


def main():
    os.execv(program(), ["hero", *sys.argv[1:]])


if __name__ == "__main__":
    main()
