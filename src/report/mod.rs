//! Reports as plain data, and their renderers.
