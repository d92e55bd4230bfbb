"""Reviews: queues of pictures with a question each, and what answers teach."""
