namespace Gradus.Training.Data.Cleaning;

/// <summary>What a filter says about a document.</summary>
/// <param name="Reason">The rule that drops it, or null where it is kept.</param>
/// <param name="Text">The text of a document that is kept, perhaps with parts taken out.</param>
public readonly record struct FilterDecision(string? Reason, string Text)
{
    /// <summary>Whether the document is kept.</summary>
    public bool IsKept => Reason is null;
}

/// <summary>Keeps or drops documents by a rule. Immutable; used by many threads at once.</summary>
public abstract record DocumentFilter
{
    /// <summary>Decides about a document.</summary>
    /// <param name="text">The text.</param>
    public abstract FilterDecision Apply(string text);
}
