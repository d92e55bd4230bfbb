"""What the pages share: state, memo, routes and components; the only place beside app.py and pages/ that knows Streamlit."""
