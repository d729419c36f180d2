/// The arrays of a checkpoint that are the model's, with the model's own names for them.
///
/// PyTorch's wrappers (`DataParallel`, `torch.compile`, FSDP, activation checkpointing) add their
/// attribute to every name. Trainers add the model's attribute, such as Lightning's `model.`.
/// People put a dictionary around the whole, beside an optimizer and a running average.
struct WeightNames {
  /// The model's arrays in the file's order, by the model's name and the name in the file.
  private(set) var kept: [(name: String, stored: String)] = []
  /// The notes on what was stripped and skipped, a line each.
  private(set) var notes: [String] = []

  /// The attributes that hold a wrapped module, stripped wherever they stand in a name.
  ///
  /// No network here has a part of such a name.
  private static let wrappers: Set<Substring> = [
    "module", "_orig_mod", "_forward_module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module",
    "_fpw_module",
  ]
  /// The known prefixes, which only say that the model follows.
  private static let wrappings: [Substring] = [
    "model_state_dict", "model_state", "state_dict", "model", "net", "network", "weights", "params",
    "student",
  ]
  /// The words of a name's part that tell of something saved beside the model, not of the model.
  private static let besides: Set<Substring> = [
    "optim", "optimizer", "optimizers", "exp", "momentum", "scheduler", "schedulers", "scaler", "grad",
    "grads", "rng",
    "loops", "callbacks",
  ]
  private static let averages: Set<Substring> = ["ema", "swa", "averaged", "shadow"]

  private static let mostCopies = 64

  /// A stored name, the same without wrappers, and the prefix before the model's own name.
  private struct Entry {
    let stored: String
    let bare: String
    /// The prefix before the model's own name; nil if it cannot be told.
    var prefix: String?
  }

  /// - Parameter start: see `WeightFile`.
  /// - Throws: `DataError` if two models are equally likely to be meant.
  init(_ stored: [String], start: ((String) -> Int?)?) throws {
    let entries = stored.map { name in
      let bare = name.split(separator: ".", omittingEmptySubsequences: false).filter {
        !Self.wrappers.contains($0)
      }
      .joined(separator: ".")
      let prefix = start?(bare).map { String(decoding: bare.utf8.prefix($0), as: UTF8.self) }
      return Entry(stored: name, bare: bare, prefix: prefix)
    }
    let prefix = try prefix(of: entries) ?? Self.knownPrefix(of: entries)
    let others = Set(entries.compactMap(\.prefix)).filter {
      $0.utf8.count > prefix.utf8.count && $0.hasPrefix(prefix)
    }
    let own = entries.filter { entry in
      entry.bare.hasPrefix(prefix)
        && !Self.isBeside(entry.bare.dropFirst(prefix.count).prefix { $0 != "." }, Self.besides)
        && !others.contains { entry.bare.hasPrefix($0) }
    }
    try keep(own, without: prefix)
  }

  /// Returns the prefix of the model's names, from the arrays whose prefix can be told; nil if
  /// there are none.
  private mutating func prefix(of entries: [Entry]) throws -> String? {
    var counts: [String: Int] = [:]
    for entry in entries {
      if let prefix = entry.prefix, !Self.isBeside(prefix[...], Self.besides) {
        counts[prefix, default: 0] += 1
      }
    }
    guard let most = counts.values.max() else { return nil }
    guard counts.count <= Self.mostCopies else {
      throw DataError("holds \(counts.count) models", cure: "Save the one that is meant as a file of its own")
    }
    // A prefix with only a few of the arrays is not the model's.
    let whole = counts.filter { 2 * $0.value > most }.keys.sorted()
    let plain = whole.filter { !Self.isBeside($0[...], Self.averages) }
    let candidates = plain.isEmpty ? whole : plain
    let chosen = candidates.contains("") ? "" : candidates[0]
    guard candidates.count == 1 || chosen.isEmpty else {
      throw DataError(
        "holds the model \(candidates.count) times: "
          + candidates.map { "“\($0.prefix(100))”" }.joined(separator: ", "),
        cure: "Save the one that is meant as a file of its own")
    }
    let passed = counts.keys.filter { $0 != chosen }.sorted()
    if !passed.isEmpty {
      notes.append(
        "the model is there more than once; the arrays \(chosen.isEmpty ? "without a prefix" : "of “\(chosen)”") are taken, not "
          + passed.map { "“\($0.prefix(100))”" }.joined(separator: ", "))
    }
    return chosen
  }

  /// Returns the known prefixes that most names share.
  private static func knownPrefix(of entries: [Entry]) -> String {
    var prefix = ""
    var names = entries.map(\.bare).filter { !isBeside($0[...], besides) }
    let plain = names.filter { !isBeside($0.prefix { $0 != "." }, averages) }
    if !plain.isEmpty { names = plain }
    while true {
      let counts = Dictionary(grouping: names) { $0.dropFirst(prefix.count).prefix { $0 != "." } }.mapValues(
        \.count)
      let known = wrappings.first { 2 * (counts[$0] ?? 0) > names.count }
      guard let next = known ?? counts.keys.first(where: { counts.count == 1 && isBeside($0, averages) })
      else {
        return prefix
      }
      prefix += next + "."
      let longer = names.filter { $0.hasPrefix(prefix) }
      guard !longer.isEmpty else { return String(prefix.dropLast(next.count + 1)) }
      names = longer
    }
  }

  private mutating func keep(_ own: [Entry], without prefix: String) throws {
    var places: [String: Int] = [:]
    var (wrapped, isTwice): (Set<Substring>, Bool) = ([], false)
    for entry in own {
      let name = String(entry.bare.dropFirst(prefix.count))
      if let place = places[name] {
        // The name occurs twice: in the model's own spelling, and with a wrapper's attribute in it.
        isTwice = true
        if entry.stored == prefix + name { kept[place].stored = entry.stored }
        guard kept[place].stored == prefix + name else {
          throw DataError(
            "holds the model twice: “\(kept[place].stored)” and “\(entry.stored)”",
            cure: "Save the one that is meant as a file of its own")
        }
        continue
      }
      places[name] = kept.count
      kept.append((name, entry.stored))
      if entry.bare != entry.stored {
        wrapped.formUnion(entry.stored.split(separator: ".").filter(Self.wrappers.contains))
      }
    }
    if isTwice { notes.append("arrays are there twice; those whose names no wrapper changed are taken") }
    let parts = wrapped.sorted().map { "“\($0).”" } + (prefix.isEmpty ? [] : ["“\(prefix)”"])
    if !parts.isEmpty { notes.append("the model's names are read without \(parts.joined(separator: ", "))") }
  }

  /// Returns whether a part of a name has one of these words.
  private static func isBeside(_ name: Substring, _ words: Set<Substring>) -> Bool {
    name.split(separator: ".").contains { part in part.split(separator: "_").contains(where: words.contains) }
  }
}
