import sys
from pathlib import Path

# The Lister over a dict is the one of the tests of `auth`.
sys.path.insert(0, str(Path(__file__).parents[2] / "unit" / "auth"))
