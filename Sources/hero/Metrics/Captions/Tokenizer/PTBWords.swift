/// The words that have rules of their own in Penn Treebank tokenization.
///
/// Source: Stanford's PTBTokenizer 3.4.1. A capital in brackets in its tables must be a capital;
/// such words are under `capitalised`.
enum PTBWords {
  /// Returns a pattern of words whose first letter must be a capital.
  private static func capitalised(_ words: String) -> LexerPattern {
    .choice(
      words.split(separator: " ").map {
        seq(.one(String($0.prefix(1))), .text(String($0.dropFirst())))
      })
  }

  private static let monthsAndDays =
    "Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec Mon Tue Tues Wed Thu Thurs Fri"
  private static let states =
    "Ala Ariz Calif Colo Conn Ct Dak Fla Ga Ind Kan Kans Ky Md Mich Minn Mo Mont Neb Nev Okla "
    + "Penn Tenn Va Vt Wis Wisc Wyo"
  private static let companies =
    "Inc Co Cos Corp Pty Pte Ptys Ptes Ppty Ppte Pptys Pptes Ltd Plc Rt Bancorp Bhd Assn Univ Intl Sys"
  private static let others = "tel est ext sq Jr Sr Bros Ed.D Ph.D Blvd Rd Esq etc al seq Bldg"

  /// The abbreviations that a lower-case word usually follows; before a capital they also end the
  /// sentence.
  static let usuallyInside = either(
    .anyOf("\(monthsAndDays) \(states) \(companies) \(others)"),
    capitalised("Ark Del Ill La Mass Miss Ore Pa Tex Wash"), seq(.one("A"), .text("z")))

  private static let titles =
    "Mr Mrs Ms Dr Drs Prof Profs Sen Sens Rep Reps Atty Attys Lt Col Gen Messrs Gov Govs Adm Rev Maj Sgt Cpl "
    + "Pvt Capt St Ste Ave Pres Lieut Hon Brig Cmdr Comdr Pfc Spc Supt Supts Det Mt Ft Adj Adv Asst Assoc "
    + "Ens Insp Mlle Mme Msgr Sfc"

  /// The abbreviations that a capital usually follows, without acronyms.
  static let usuallyBeforeName = either(
    .anyOf("\(titles) vs Alex Wm Jos Cie a.k.a cf TREAS Ph Invt Elec Natl"), capitalised("Miss"),
    seq(.one("M"), .one("ft"), .text("g")), .text("Dept"))

  /// The words that are abbreviations only before a number.
  static let beforeNumber = LexerPattern.anyOf("ca fig figs prop no nos art bldg pp op")

  /// The words that begin a new sentence after an acronym. Their first letter must be a capital.
  static let sentenceOpeners: LexerPattern = {
    let words =
      "About According Additionally After An A As At But Earlier He Her Here However If In It Last Many More Mr. "
      + "Ms. Now Once One Other Our She Since So Some Such That The Their Then There These They This We When "
      + "While What Yet You"
    return capitalised(words)
  }()

  static let fileExtensions = LexerPattern.anyOf(
    "bat bmp c class cgi cpp dll doc docx exe gif gz h htm html jar java jpeg jpg mov mp3 pdf php pl png ppt ps py "
      + "sql tar txt wav x xml zip")
}
