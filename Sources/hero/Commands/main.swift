print("hero")
