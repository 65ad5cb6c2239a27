namespace Gradus.Training.Distributed;

/// <summary>The ranks of a distributed run cannot work together: one line that says which rank or library, and what to do.</summary>
public sealed class MpiException : IOException
{
    internal MpiException(string message)
        : base(message)
    {
    }
}
