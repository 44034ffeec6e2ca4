"""The frame of HTML pages. It is no part of artifacts, on which all stages depend: a new style must not train again."""
