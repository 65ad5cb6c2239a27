namespace Gradus.Text;

/// <summary>The settings of a BPE model, with the meaning and the defaults of tokenizer.json.</summary>
/// <param name="UnknownToken">The token for characters that are not in the vocabulary; where there is none they are dropped.</param>
/// <param name="ContinuingSubwordPrefix">Written before every symbol of a word but the first.</param>
/// <param name="EndOfWordSuffix">Written after the last symbol of a word, such as <c>&lt;/w&gt;</c>.</param>
/// <param name="FuseUnknown">Whether a run of unknown characters is one unknown token.</param>
/// <param name="ByteFallback">Whether unknown characters become the byte tokens <c>&lt;0x00&gt;</c> to <c>&lt;0xFF&gt;</c>.</param>
/// <param name="IgnoreMerges">Whether a piece that is a token is taken whole, before any merge.</param>
public sealed record BpeOptions(
    string? UnknownToken = null,
    string? ContinuingSubwordPrefix = null,
    string? EndOfWordSuffix = null,
    bool FuseUnknown = false,
    bool ByteFallback = false,
    bool IgnoreMerges = false);
