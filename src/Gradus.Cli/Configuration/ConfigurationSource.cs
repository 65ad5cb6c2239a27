using System.Text;

namespace Gradus.Cli.Configuration;

/// <summary>Where values come from: a recipe file (whose text gives positions), the command line, or the defaults.</summary>
/// <param name="Name">The file name, or the words that stand for it in messages.</param>
/// <param name="Text">The UTF-8 text of a recipe; null where positions mean nothing to the reader.</param>
internal sealed record ConfigurationSource(string Name, byte[]? Text = null)
{
    /// <summary>The name with line and column (both from 1; columns in UTF-16 units, as editors count) of a byte offset.</summary>
    public string Locate(int offset)
    {
        if (Text is null)
            return Name;
        (int line, int column) = Position(Text.AsSpan(0, Math.Min(offset, Text.Length)));
        return $"{Name}:{line}:{column}";
    }

    /// <summary>The line and column right after a text.</summary>
    public static (int Line, int Column) Position(ReadOnlySpan<byte> before)
    {
        int line = 1 + before.Count((byte)'\n');
        return (line, 1 + Encoding.UTF8.GetCharCount(before[(before.LastIndexOf((byte)'\n') + 1)..]));
    }
}

/// <summary>One place in a source.</summary>
/// <param name="Source">The source.</param>
/// <param name="Offset">The offset in bytes.</param>
internal readonly record struct Origin(ConfigurationSource Source, int Offset = 0)
{
    /// <inheritdoc/>
    public override string ToString() => Source.Locate(Offset);
}

/// <summary>The problems found so far, at most <see cref="Most"/> of them spelled out.</summary>
internal sealed class ConfigurationProblems
{
    /// <summary>How many problems are reported in full; the rest are counted.</summary>
    public const int Most = 20;

    private readonly List<string> _lines = [];
    private int _more;

    /// <summary>Whether there is none.</summary>
    public bool None => _lines.Count == 0;

    /// <summary>Adds a problem at a place and a path.</summary>
    public void Add(Origin origin, string path, string problem) => Add(origin, path, () => problem);

    /// <summary>Adds a problem whose text takes work, done only where it will be shown.</summary>
    public void Add(Origin origin, string path, Func<string> problem)
    {
        if (_lines.Count == Most)
        {
            _more++;
            return;
        }
        string line = path.Length == 0 ? $"{origin}: {problem()}" : $"{origin}: {path}: {problem()}";
        if (!_lines.Contains(line))
            _lines.Add(line);
    }

    /// <summary>Throws what was found, if anything was.</summary>
    public void ThrowIfAny(Exception? inner = null)
    {
        if (!None)
            throw new ConfigurationException(_more == 0 ? _lines : [.. _lines, $"… and {_more} more."], inner);
    }
}
