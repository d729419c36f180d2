import Formats
import Foundation

/// The description of a run for those who find its weights elsewhere, in the Hugging Face Hub's
/// layout.
///
/// It consists of `README.md`, the model card, and `config.json`, the model's shape.
struct ModelCard {
  /// The mark of a card that this program wrote; a card without it is a person's.
  private static let mark = "<!-- written by hero -->"
  private static let modelType = JSON.string("hero")
  private let configuration: RunConfiguration
  private let model: JSON
  private let best: RunFolder.Best?

  /// - Parameter model: the content of the run's `model_config.json`.
  init(_ configuration: RunConfiguration, model: JSON, best: RunFolder.Best?) {
    (self.configuration, self.model, self.best) = (configuration, model, best)
  }

  /// Returns `config.json` of a folder in the Hub's layout that this program can read; nil if there
  /// is none.
  static func configuration(in folder: String) -> String? {
    let file = "\(folder)/config.json"
    return FileManager.default.isFolder(folder) && (try? JSON.read(path: file))?["model_type"] == modelType
      ? file : nil
  }

  /// Writes both files into a folder, but keeps a person's own files of these names.
  /// - Returns: the files that were kept.
  func write(to folder: String) throws -> [String] {
    let (card, shape) = ("\(folder)/README.md", "\(folder)/config.json")
    var kept: [String] = []
    func put(_ text: String, _ path: String, isOwn: () -> Bool) throws {
      if FileManager.default.fileExists(atPath: path), !isOwn() { return kept.append(path) }
      try AtomicFile.write(text, to: path)
    }
    try put(text, card) { (try? String(contentsOfFile: card, encoding: .utf8))?.contains(Self.mark) ?? false }
    try put(json.encoded(style: .pretty), shape) { Self.configuration(in: folder) != nil }
    return kept
  }

  private var json: JSON {
    var object = model.object ?? JSONObject()
    object["architectures"] = ["HERO"]
    object["model_type"] = Self.modelType
    object["task"] = .string(configuration.task.rawValue)
    return .object(object)
  }

  private var text: String {
    let task = configuration.task.rawValue
    var head = ["library_name: hero", "language: en", "tags: [hero, video, \(Self.quoted(task))]"]
    if let best {
      head += [
        "model-index:", "- name: \(Self.quoted("hero-\(task)"))", "  results:",
        "  - task: {type: \(Self.quoted(configuration.task.family.rawValue))}",
        "    dataset: {name: \(Self.quoted(task)), type: \(Self.quoted(task)), split: validation}",
        "    metrics: [{type: \(Self.quoted(best.metric)), value: \(best.value)}]",
      ]
    }
    let figure = best.map { "\($0.metric) \($0.value) on the validation split, after update \($0.step)." }
    let part = { (name: String) -> String in
      let shape = model[name]
      return "\(shape?["num_hidden_layers"]?.int ?? 0) layers, \(shape?["hidden_size"]?.int ?? 0) wide"
    }
    return """
      ---
      \(head.joined(separator: "\n"))
      ---
      \(Self.mark)
      # HERO for \(task)

      A HERO (Li et al., EMNLP 2020) that `hero` trained for the task `\(task)` (\(configuration.task.family.rawValue)).
      \(figure ?? "No validation has measured it.")

      - **Reads**: frames as features of the version `\(configuration.featureVersion)`, `\(configuration.videoChannels.rawValue)` \
      of video and subtitles.
      - **Shape**: over a subtitle's frames and words \(part("f_config")); over the video \(part("c_config")).
      - **Trained**: \(configuration.trainSteps) updates of \(configuration.trainBatchSize) items, seed \(configuration.seed), \
      rate \(configuration.learningRate).

      Train further from it, or use it:

          hero finetune --task \(task) --checkpoint FOLDER …
          hero export --output-dir RUN --format hub --output FOLDER

      """
  }

  /// Returns a string in the quotes of JSON, which YAML also reads.
  private static func quoted(_ text: String) -> String { JSON.string(text).encoded() }
}

extension RunFolder {
  /// Describes the run in its folder or in another one, for those who get it from elsewhere.
  /// - Returns: a person's files that were kept in place of the descriptions.
  @discardableResult
  func describe(into folder: String? = nil, task: RunTask? = nil) throws -> [String] {
    try ModelCard(
      try configuration(task: task), model: try JSON.read(path: modelConfiguration), best: best()
    ).write(to: folder ?? path)
  }
}
