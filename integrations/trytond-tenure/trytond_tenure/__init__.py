# SPDX-License-Identifier: GPL-3.0-or-later
"""The Tryton module `tenure`: what Tenure may do and read in an ERP, as commands that happen once."""
