"""Figures in, pages and tables for people out."""
