class Tables: pass
