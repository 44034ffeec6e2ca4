"""Reports over evaluations. A package of its own, so that a change of the page asks no model again."""
