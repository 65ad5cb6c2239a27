namespace Gradus.Text.Chat.Jinja;

/// <summary>What may differ between environments of Jinja.</summary>
/// <param name="TrimsBlocks">trim_blocks and lstrip_blocks: a block tag takes the line break behind it and the blanks before it.</param>
/// <param name="KeepsLastLineBreak">keep_trailing_newline.</param>
/// <param name="Strict">StrictUndefined: what does not exist fails as soon as it is printed, compared, iterated or asked for its truth.</param>
/// <param name="RegexReplace">There is a filter regex_replace(pattern, replacement, count), Python's re.sub.</param>
/// <param name="SafeJson">The tojson filter is Jinja's own: keys sorted, and what means something in HTML escaped.</param>
internal sealed record JinjaSettings(bool TrimsBlocks, bool KeepsLastLineBreak, bool Strict, bool RegexReplace, bool SafeJson)
{
    /// <summary>As transformers runs chat templates.</summary>
    public static JinjaSettings Chat { get; } = new(TrimsBlocks: true, KeepsLastLineBreak: false, Strict: false, RegexReplace: false, SafeJson: false);

    /// <summary>As lm-evaluation-harness runs the templates of its tasks.</summary>
    public static JinjaSettings Plain { get; } = new(TrimsBlocks: false, KeepsLastLineBreak: true, Strict: true, RegexReplace: true, SafeJson: true);
}
