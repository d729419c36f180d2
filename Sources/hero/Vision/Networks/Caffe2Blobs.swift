import Formats

/// SlowFast's weights as its authors publish them: a pickle `{"blobs": {name: array}}`.
///
/// The names are Caffe2's. Source: `slowfast/utils/c2_model_loading.py` of the authors' repository.
struct Caffe2Blobs {
  /// The names as PyTorch spells them.
  let names: [String]
  private let arrays: [String: NDArray]

  /// Reads the pickle; nil if it holds no blobs.
  init?(path: String) throws {
    guard let blobs = try Pickle.read(path: path)["blobs"]?.entries else { return nil }
    var (names, arrays): ([String], [String: NDArray]) = ([], [:])
    for blob in blobs {
      guard let caffe2 = blob.key.string, let name = Self.name(caffe2), case .array(let array) = blob.value
      else { continue }
      if arrays.updateValue(array, forKey: name) == nil { names.append(name) }
    }
    self.names = names
    self.arrays = arrays
  }

  subscript(name: String) -> NDArray? { arrays[name] }

  /// Returns the PyTorch module's name of a blob; nil if it is no weight, as an optimizer's
  /// momentum.
  ///
  ///     conv1_w, t_conv1_w                      s1.pathway0_stem.conv.weight, s1.pathway1_…
  ///     res_conv1_bn_s, t_res_conv1_bn_s        s1.pathway0_stem.bn.weight, …
  ///     t_pool1_subsample_w, …_bn_s             s1_fuse.conv_f2s.weight, s1_fuse.bn.weight
  ///     t_res2_2_branch2c_bn_subsample_w, …_bn_s    s2_fuse.conv_f2s.weight, s2_fuse.bn.weight
  ///     res2_0_branch1_w, …_bn_s  s2.pathway0_res0.branch1.weight, …branch1_bn.weight
  ///     res2_0_branch2a_w, …_bn_s  s2.pathway0_res0.branch2.a.weight, …branch2.a_bn.weight
  static func name(_ blob: String) -> String? {
    let isFast = blob.hasPrefix("t_")
    let pathway = isFast ? 1 : 0
    var parts = (isFast ? String(blob.dropFirst(2)) : blob).split(separator: "_")[...]
    let endings = ["w": "weight", "s": "weight", "b": "bias", "rm": "running_mean", "riv": "running_var"]
    guard let ending = parts.popLast().flatMap({ endings[String($0)] }) else { return nil }
    let isNorm = parts.last == "bn"
    if isNorm { parts.removeLast() }
    let words = parts.joined(separator: "_")
    if words == "conv1" || words == "res_conv1" {
      return "s1.pathway\(pathway)_stem.\(isNorm ? "bn" : "conv").\(ending)"
    }
    if parts.last == "subsample", isFast {
      guard let stage = words == "pool1_subsample" ? "1" : Self.stage(parts.first) else { return nil }
      return "s\(stage)_fuse.\(isNorm ? "bn" : "conv_f2s").\(ending)"
    }
    guard parts.count == 3, let stage = Self.stage(parts.first), let last = parts.last,
      last.hasPrefix("branch"), let number = Int(parts[parts.startIndex + 1])
    else { return nil }
    let branch = last.dropFirst("branch".count)
    let place = branch.count == 2 ? "\(branch.prefix(1)).\(branch.suffix(1))" : String(branch)
    return "s\(stage).pathway\(pathway)_res\(number).branch\(place)\(isNorm ? "_bn" : "").\(ending)"
  }

  /// Returns a stage's number: "res4" → "4".
  private static func stage(_ word: Substring?) -> String? {
    guard let word, word.hasPrefix("res"), let number = Int(word.dropFirst(3)) else { return nil }
    return String(number)
  }
}
