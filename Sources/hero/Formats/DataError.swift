/// An error in the user's input: the file, the place in it, the problem and the cure.
///
/// Readers throw nothing else, so a command can print one clear message and exit with 1.
public struct DataError: Error, Equatable, CustomStringConvertible, Sendable {
  /// The file or folder, as the user named it.
  public var file: String?
  /// The place in it: `line 12`, `key "show_s01e01"`, `byte 4096`, `parameter "q_feat_attn…"`.
  public var place: String?
  /// The problem, as a clause without a full stop.
  public var problem: String
  /// The action that helps the user, as a sentence without a full stop.
  public var cure: String?

  /// - Parameters:
  ///   - problem: what is wrong, with the value, as a clause.
  ///   - file: the path as the user named it.
  ///   - place: where in the file, such as `line 41`.
  ///   - cure: what the user can do, as a sentence without a full stop.
  public init(_ problem: String, file: String? = nil, place: String? = nil, cure: String? = nil) {
    self.problem = problem
    self.file = file
    self.place = place
    self.cure = cure
  }

  /// Returns the same error with its missing parts filled in.
  public func located(file: String? = nil, place: String? = nil, cure: String? = nil) -> DataError {
    DataError(
      problem, file: self.file ?? file, place: self.place ?? place, cure: self.cure ?? cure)
  }

  /// Runs `body` and fills in the missing parts of a `DataError` that it throws.
  public static func locating<Result>(
    file: String? = nil, place: @autoclosure () -> String? = nil, cure: String? = nil,
    _ body: () throws -> Result
  ) throws -> Result {
    do { return try body() } catch let error as DataError {
      throw error.located(file: file, place: place(), cure: cure)
    }
  }

  /// `file, place: problem. cure.`
  public var description: String { sentence + "." }

  /// The description without its full stop, for a longer message.
  public var sentence: String {
    let location = [file, place].compactMap { $0 }.joined(separator: ", ")
    let head = location.isEmpty ? problem : "\(location): \(problem)"
    return cure.map { "\(head). \($0)" } ?? head
  }
}
