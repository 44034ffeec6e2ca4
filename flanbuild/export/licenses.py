"""The licenses of a mixture's tasks as the hub names them, and as SPDX does.

Task files state a license in the words of the dataset's page. What is no identifier of the hub is `other`.
"""

from collections.abc import Iterable

_SPDX = {
    "apache-2.0": "Apache-2.0",
    "cc0-1.0": "CC0-1.0",
    "mit": "MIT",
    "bsd-3-clause": "BSD-3-Clause",
    "gpl-3.0": "GPL-3.0-only",
    "odc-by": "ODC-By-1.0",
    **{
        f"cc-{kind}-{version}": f"CC-{kind.upper()}-{version}"
        for kind in ("by", "by-sa", "by-nc", "by-nd", "by-nc-sa", "by-nc-nd")
        for version in ("2.0", "2.5", "3.0", "4.0")
    },
}
"""The hub's identifier -> SPDX's, for licenses that both have."""
OTHER, UNKNOWN = "other", "unknown"


def hub_ids(licenses: Iterable[str]) -> list[str]:
    """The hub's identifiers for these licenses, sorted."""
    return sorted({name if name in _SPDX or name == UNKNOWN else OTHER for name in licenses})


def license_urls(licenses: Iterable[str]) -> list[str]:
    """A URL for each license: that of SPDX, or one of flanbuild's own names where SPDX has none; sorted."""
    return sorted(
        {
            f"https://spdx.org/licenses/{_SPDX[name]}.html"
            if name in _SPDX
            else f"urn:license:{name.split()[0]}"
            for name in licenses
        }
    )
