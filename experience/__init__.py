"""What people and programs see of Tenure: the capability API and the console."""
