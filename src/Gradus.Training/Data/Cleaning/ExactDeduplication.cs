using System.Runtime.InteropServices;

namespace Gradus.Training.Data.Cleaning;

/// <summary>
/// Keeps one of the documents of equal text: that of the highest priority, of those the one that stands first in its file, of those the first. All are
/// looked at first; that takes 16 bytes a document and 16 a distinct text.
/// </summary>
/// <param name="fingerprint">How texts are hashed.</param>
public sealed class ExactDeduplication(Fingerprint fingerprint)
{
    private readonly Dictionary<ulong, int> _groups = [];
    private readonly List<int> _groupOf = [];
    private readonly List<(int Kept, int Priority, long Position, int Count)> _best = [];

    /// <summary>Documents looked at.</summary>
    public int Documents => _groupOf.Count;

    /// <summary>Looks at the next document.</summary>
    /// <param name="text">The text.</param>
    /// <param name="priority">Higher ones are kept.</param>
    /// <param name="position">Its place in its file.</param>
    public void Add(string text, int priority = 0, long position = 0) => Add(fingerprint.Of(text), priority, position);

    /// <inheritdoc cref="Add(string, int, long)"/>
    public void Add(ulong hash, int priority, long position)
    {
        ref int group = ref CollectionsMarshal.GetValueRefOrAddDefault(_groups, hash, out bool known);
        int document = _groupOf.Count;
        if (!known)
        {
            group = _best.Count;
            _best.Add((document, priority, position, 1));
        }
        else
        {
            (int kept, int best, long first, int count) = _best[group];
            bool better = priority > best || (priority == best && position < first);
            _best[group] = better ? (document, priority, position, count + 1) : (kept, best, first, count + 1);
        }
        _groupOf.Add(group);
    }

    /// <summary>Whether a document is the one of its text that is kept.</summary>
    public bool IsKept(int document) => _best[_groupOf[document]].Kept == document;

    /// <summary>Documents of the text of a document.</summary>
    public int CopiesOf(int document) => _best[_groupOf[document]].Count;
}
