"""What the pages share: state, memo, routes and components; with app.py and pages/ the only place for Streamlit."""
