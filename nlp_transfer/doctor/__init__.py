"""The data doctor: what may be wrong with labelled data, found before money is spent."""
