//! Memory tables, sorted runs, manifests and merging.
