namespace Gradus.Generation.Structure;

#pragma warning disable RCS1194 // The usual constructors would make errors without a reason.

/// <summary>A grammar, schema or pattern that cannot be enforced: the message says which part, where, and why.</summary>
public sealed class StructureException : FormatException
{
    /// <summary>Makes an error.</summary>
    /// <param name="message">One line: where, what, and what to do.</param>
    public StructureException(string message)
        : base(message)
    {
    }
}
