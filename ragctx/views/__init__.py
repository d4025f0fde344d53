"""Views: plans, answers and jobs for terminals, notebooks and browsers. Everything shown is escaped."""
