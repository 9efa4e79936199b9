"""How chains of ops are computed fast: row by row, with weights packed for the processor."""
