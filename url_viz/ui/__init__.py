"""The interface in Streamlit: session, cache, routes and login here, shared parts in widgets, a folder a page."""
