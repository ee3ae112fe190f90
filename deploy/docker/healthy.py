"""The health check of the site's container: exits with 0 if it is ready, otherwise with one line."""

import os
import sys
from urllib.error import HTTPError
from urllib.request import urlopen

try:
    with urlopen(f"http://127.0.0.1:{os.environ.get('PORT', '8000')}/readyz", timeout=4) as answer:
        sys.exit(answer.status != 200)
except HTTPError as error:
    sys.exit(f"{error.code}: {error.read(500).decode(errors='replace')}")
except OSError as error:
    sys.exit(str(error))
