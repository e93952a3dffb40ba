"""The officer's workspace: search, timelines, what people saw, exports, figures, the register, incidents."""
