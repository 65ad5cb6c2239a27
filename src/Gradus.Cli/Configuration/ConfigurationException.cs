namespace Gradus.Cli.Configuration;

/// <summary>A recipe or an override that cannot be used. The message has one line per problem: where, the path in the tree, what is wrong.</summary>
/// <remarks>The command exits with code 2 on it and prints <see cref="Exception.Message"/> as it stands.</remarks>
#pragma warning disable RCS1194 // Made of problems; a constructor without any would say nothing.
public sealed class ConfigurationException : Exception
#pragma warning restore RCS1194
{
    /// <summary>Makes an exception of one or more problems.</summary>
    /// <param name="problems">One line each.</param>
    /// <param name="inner">The failure behind it, if any.</param>
    public ConfigurationException(IReadOnlyList<string> problems, Exception? inner = null)
        : base(string.Join('\n', problems.Select(OneLine)), inner)
    {
        Problems = [.. problems.Select(OneLine)];
    }

    /// <summary>The problems, one line each, in the order in which they were found.</summary>
    public IReadOnlyList<string> Problems { get; }

    /// <summary>Keeps a hostile key or file name from breaking the line or steering the terminal.</summary>
    private static string OneLine(string text)
    {
        return string.Concat(text.Select(c => char.IsControl(c) || c is '\u2028' or '\u2029' ? $"\\u{(int)c:x4}" : c.ToString()));
    }
}
