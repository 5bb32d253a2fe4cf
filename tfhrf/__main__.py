"""`python -m tfhrf`: the command `tfhrf` where no script of that name is on the path."""

import sys

from tfhrf.command.main import main

sys.exit(main())
