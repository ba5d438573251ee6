"""What CRM, ERP, CS and the lifecycles say of the same contract, and where they contradict each other."""
