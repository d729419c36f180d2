import Formats

extension RunConfiguration {
  /// Loads the configuration of a new run: defaults, then the file, then the flags.
  ///
  /// - Parameters:
  ///   - fixed: `.pretrain` for pre-training; nil if a flag or the file names the task.
  /// - Returns: the configuration and warnings for the user.
  /// - Throws: `UsageError` for flags, `DataError` for the file.
  public static func load(task fixed: RunTask? = nil, file: String?, arguments: [String]) throws
    -> (configuration: RunConfiguration, warnings: [String])
  {
    let flags = try RunArguments(arguments)
    var warnings: [String] = []
    var object = try file.map { try readObject($0) { warnings.append($0) } } ?? JSONObject()
    let asked = flags.value(of: RunOptions.shared.task).flatMap(RunTask.init(json:))
    let one = try DataError.locating(file: file ?? "") {
      try ofOneDataset(object) { warnings.append($0) }
    }
    if let one {
      object = one.object
      // The dataset's name also says the channels.
      if let asked, !one.task.answers(to: asked) {
        throw UsageError("--task \(asked.rawValue): \(file ?? "") trains \(one.task.rawValue)")
      }
    }
    if fixed == .pretrain, let own = try Self.task(in: object, file: file ?? ""), own != .pretrain {
      throw DataError("these are options of \(own.rawValue)", file: file ?? "", cure: "Use 'hero finetune'")
    }
    let task = try fixed ?? one?.task ?? task(asked, object: object, file: file)
    var configuration = RunConfiguration(task: task)
    warnings += try configuration.apply(object, file: file ?? "")
    try configuration.apply(flags)
    if task == .multitask { _ = try DataError.locating(file: file) { try configuration.parts() } }
    return (configuration, warnings)
  }

  /// Reads the configuration of an earlier run, of this program or of the reference.
  ///
  /// - Parameters:
  ///   - path: `log/hps.json`.
  ///   - known: the task, if the caller knows it.
  ///   - usual: the task if the file names none; captioning runs of the reference name none.
  public static func read(
    hyperparameters path: String, task known: RunTask? = nil, usual: RunTask? = nil
  ) throws -> RunConfiguration {
    let object = try readObject(path)
    let own = try task(in: object, file: path)
    if own == .multitask, known != .multitask, let part = try part(known ?? usual, of: object, file: path) {
      return part
    }
    // A name without channels asks for the run with the channels of the run's own name.
    let asked = known.map { known in
      own.flatMap { $0.answers(to: known) && $0.channels != known.channels ? $0 : nil } ?? known
    }
    guard let task = asked ?? own ?? usual else {
      throw DataError("does not say which task the run was trained for", file: path, cure: "Give --task")
    }
    if let own, own.family != task.family {
      throw DataError(
        "the run was trained for \(own.rawValue), which is \(own.family.rawValue), not \(task.family.rawValue)",
        file: path, cure: "Leave --task out, or give the run of \(task.rawValue)")
    }
    var configuration = RunConfiguration(task: task)
    _ = try configuration.apply(object, file: path)
    return configuration
  }

  /// Returns one task of a run of several as a configuration of its own.
  private static func part(
    _ task: RunTask?, of object: JSONObject, file: String
  ) throws -> RunConfiguration? {
    var configuration = RunConfiguration(task: .multitask)
    _ = try configuration.apply(object, file: file)
    let parts = try configuration.parts().map(\.configuration)
    // VALUE's names say the channels; --task may leave them out.
    let fitting = parts.filter { part in task.map { part.task.answers(to: $0) } == true }
    let exact = fitting.first { $0.task == task } ?? fitting.first { $0.task.channels == task?.channels }
    if let part = exact ?? (fitting.count == 1 ? fitting[0] : nil) { return part }
    let names = parts.map(\.task.rawValue).joined(separator: ", ")
    guard let task else {
      throw DataError("the run has several tasks", file: file, cure: "Give --task one of \(names)")
    }
    throw DataError(
      "the run was trained for \(names), not for \(task.rawValue)", file: file,
      cure: "Give --task one of them")
  }

  /// Reads the options of a file.
  ///
  /// They are the file's object, or the only object inside it that has options: programs save them
  /// under `args` or `hps` beside other things.
  /// - Parameter warn: called if the options are inside the file's object.
  static func readObject(_ path: String, warn: (String) -> Void = { _ in }) throws -> JSONObject {
    let json: JSON
    do { json = try JSON.read(path: path) } catch {
      throw unlike(path) ?? error
    }
    guard let object = json.object else {
      throw DataError("is not a JSON object", file: path, cure: "Give a file of options, {\"key\": value, …}")
    }
    guard !object.keys.contains(where: { RunOptions.named($0) != nil }) else { return object }
    let inner = object.filter { member in
      (member.value.object?.keys ?? []).count { RunOptions.named($0) != nil } >= 2
    }
    guard let first = inner.first, let options = first.value.object else { return object }
    guard inner.count == 1 else {
      throw DataError(
        "holds options under several keys: \(inner.map(\.key).joined(separator: ", "))", file: path,
        cure: "Give a file with those of one of them")
    }
    warn("\(path): the options are those under \"\(first.key)\"; what stands beside it is not read")
    return options
  }

  /// Recognizes options in another format than JSON; nil if the format is unknown.
  private static func unlike(_ path: String) -> DataError? {
    guard let bytes = try? FileBytes.read(path: path, limit: 1 << 20) else { return nil }
    let text = String(decoding: bytes.prefix(4096), as: UTF8.self).drop { $0.isWhitespace }
    if text.hasPrefix("Namespace(") {
      return DataError(
        "is what Python prints of options (Namespace), not JSON", file: path,
        cure: "Write it by json.dump(vars(args), file)")
    }
    let first = text.split(whereSeparator: \.isNewline).first {
      !$0.hasPrefix("#") && !$0.hasPrefix("---") && !$0.allSatisfy(\.isWhitespace)
    }
    if first?.prefixMatch(of: /[A-Za-z_][A-Za-z0-9_]*:(\s|$)/) != nil {
      return DataError(
        "is YAML, not JSON", file: path, cure: "Write it by json.dump(yaml.safe_load(open(…)), file)")
    }
    return nil
  }

  /// Returns whether options name their task, or imply it.
  public static func namesTask(_ object: JSONObject) -> Bool {
    (try? task(in: object, file: "")) != nil
  }

  private static func task(_ asked: RunTask?, object: JSONObject, file: String?) throws -> RunTask {
    guard let task = try asked ?? Self.task(in: object, file: file ?? "") else {
      throw UsageError("which task? Give --task " + RunTask.finetuning.map(\.rawValue).joined(separator: "|"))
    }
    guard task != .pretrain else { throw UsageError("use 'hero pretrain' for pre-training") }
    return task
  }

  /// Returns the task that a file names, or that its keys imply.
  ///
  /// The reference's captioning and pre-training files name none.
  private static func task(in object: JSONObject, file: String) throws -> RunTask? {
    if let value = object[RunOptions.shared.task.name] {
      guard let task = RunTask(json: value) else {
        throw DataError(
          "must be \(RunTask.expectation), not \(value.shown)", file: file,
          place: "key \"task\"")
      }
      return task
    }
    if object[RunOptions.shared.trainDatasets.name] != nil { return .multitask }
    if object[RunOptions.shared.trainCaptions.name] != nil { return .tvc }
    return object[RunOptions.shared.targets.name] == nil ? nil : .pretrain
  }
}
