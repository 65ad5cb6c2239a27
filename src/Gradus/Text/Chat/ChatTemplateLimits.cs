namespace Gradus.Text.Chat;

/// <summary>
/// Bounds on one rendering, because templates come from files of strangers. Each is checked while rendering;
/// a template that passes one ends with a <see cref="ChatTemplateException"/> that names it.
/// </summary>
/// <param name="MaxOutput">The longest output, in UTF-16 characters; at least 1.</param>
/// <param name="MaxSteps">The number of expressions evaluated, statements run and elements visited, loops and searches included; at least 1.</param>
/// <param name="MaxCharacters">The characters of all intermediate strings together; at least 1.</param>
/// <param name="MaxDepth">Nested calls of macros, callers and recursive loops; at least 1.</param>
/// <param name="MaxRange">The longest <c>range()</c>; Jinja's sandbox has the same default.</param>
public sealed record ChatTemplateLimits(
    int MaxOutput = 16 << 20,
    long MaxSteps = 20_000_000,
    long MaxCharacters = 128L << 20,
    int MaxDepth = 100,
    int MaxRange = 100_000)
{
    /// <summary>The default bounds.</summary>
    public static ChatTemplateLimits Default { get; } = new();

    /// <summary>The longest template, in UTF-16 characters: published ones stay below 30,000.</summary>
    public const int MaxTemplate = 1 << 20;

    /// <summary>The deepest nesting of expressions and statements in a template.</summary>
    public const int MaxNesting = 400;
}
