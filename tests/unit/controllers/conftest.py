"""The API in memory and the virtual clock are the client's contract fakes."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "contract" / "client"))
