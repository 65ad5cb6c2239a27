namespace Gradus.Applications.Retrieval.Documents;

/// <summary>Collects the sections of a document as its headings come by.</summary>
internal sealed class HeadingPath
{
    private const int LongestHeading = 200;
    private readonly List<(int Level, string Text)> _open = [];
    private readonly List<Section> _sections = [new Section(0, [])];

    /// <summary>The page of the sections that follow, or null.</summary>
    public int? Page { get; private set; }

    /// <summary>The sections so far.</summary>
    public IReadOnlyList<Section> Sections => _sections;

    /// <summary>A heading: it closes those of its level and deeper ones.</summary>
    /// <param name="start">Where its section begins; not before the last one.</param>
    /// <param name="level">Its level from 1.</param>
    /// <param name="text">What it says; one line, cut at 200 characters.</param>
    public void Add(int start, int level, string text)
    {
        while (_open.Count > 0 && _open[^1].Level >= level)
            _open.RemoveAt(_open.Count - 1);
        string line = string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        _open.Add((level, line.Length > LongestHeading ? line[..LongestHeading] : line));
        Begin(start);
    }

    /// <summary>A page: the headings stay open over it.</summary>
    public void AddPage(int start, int page)
    {
        Page = page;
        Begin(start);
    }

    private void Begin(int start)
    {
        Section section = new(start, [.. _open.Select(o => o.Text)], Page);
        if (_sections[^1].Start == start)
            _sections[^1] = section;
        else
            _sections.Add(section);
    }
}
