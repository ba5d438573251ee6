"""What leaders and finance are shown, as pure definitions. Every amount is the ERP's: nothing is priced here."""
