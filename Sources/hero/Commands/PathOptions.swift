import ArgumentParser

extension Option where Value == String? {
  /// The path of a file.
  init(file help: String, _ valueName: String = "file", name: NameSpecification = .long) {
    self.init(name: name, help: ArgumentHelp(help, valueName: valueName), completion: .file())
  }

  /// The path of a folder.
  init(folder help: String, name: NameSpecification = .long) {
    self.init(name: name, help: ArgumentHelp(help, valueName: "folder"), completion: .directory)
  }
}

extension Option where Value == String {
  /// The path of a file.
  init(file help: String, name: NameSpecification = .long) {
    self.init(name: name, help: ArgumentHelp(help, valueName: "file"), completion: .file())
  }

  /// The path of a folder.
  init(folder help: String, name: NameSpecification = .long) {
    self.init(name: name, help: ArgumentHelp(help, valueName: "folder"), completion: .directory)
  }

  /// The weights of a run.
  init(wrappedValue: String, checkpoint help: String, name: NameSpecification = .long) {
    self.init(
      wrappedValue: wrappedValue, name: name, help: ArgumentHelp(help, valueName: "checkpoint"),
      completion: .file())
  }
}
