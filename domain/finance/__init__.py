"""What finance decides in a contract's life: approval, purchase orders, credit holds, price notices, closed periods."""
