using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>
/// What a model keeps of the tokens that it has read, for any number of sequences: keys and values (<see cref="KvCache"/>), those and
/// what an encoder made (<see cref="Models.EncoderDecoderCache"/>), or the state of a recurrent network (<see cref="RecurrentCache"/>). A step:
/// <see cref="Plan"/> the new tokens of some sequences, run the model, <see cref="Commit"/>. Memory is counted in pages of a fixed size.
/// </summary>
public abstract class SequenceCache : IDisposable
{
    /// <summary>Which rows of the planned step belong to which sequence, and what they see.</summary>
    public abstract AttentionLayout Layout { get; }

    /// <summary>Keys and values of the sequences' own tokens, where the model has attention.</summary>
    internal virtual KvCache? Own => null;

    /// <summary>Keys and values of what an encoder read, where the model has one.</summary>
    internal virtual KvCache? Source => null;

    /// <summary>The states of recurrent layers, where the model has them.</summary>
    internal virtual RecurrentMemory? Memory => null;

    /// <summary>Bytes of a page, all layers together.</summary>
    public abstract long PageBytes { get; }

    /// <summary>Bytes of all pages.</summary>
    public abstract long Bytes { get; }

    /// <summary>Pages that belong to a sequence at present; shared ones count once.</summary>
    public abstract int PagesInUse { get; }

    /// <summary>The pages that a sequence of as many tokens takes.</summary>
    public abstract int PagesFor(int tokens);

    /// <summary>The new pages that a sequence takes when it reads so many tokens more.</summary>
    public abstract int PagesToAdd(CachedSequence sequence, int newTokens);

    /// <summary>The pages that there may be at most: growing ahead of need stops there.</summary>
    public int MostPages { get; set; } = int.MaxValue;

    /// <summary>Makes sure that there are at least as many pages, in use or free, so that the cache does not grow while sequences do.</summary>
    public abstract void Reserve(int pages);

    /// <summary>Starts an empty sequence.</summary>
    /// <param name="expectedTokens">Tokens it will hold at most, if known: its list of pages then never grows. No page is taken yet.</param>
    /// <param name="source">The tokens that an encoder reads; null for other models.</param>
    public abstract CachedSequence NewSequence(int expectedTokens = 0, int[]? source = null);

    /// <summary>Announces a step: the given numbers of new tokens of the given sequences, in this order.</summary>
    /// <param name="sequences">Each at most once.</param>
    /// <param name="newTokens">At least one for each.</param>
    /// <param name="workspace">The step's workspace.</param>
    public abstract void Plan(IReadOnlyList<CachedSequence> sequences, ReadOnlySpan<int> newTokens, Workspace workspace);

    /// <summary>Counts the planned tokens as read; to be called after the model ran.</summary>
    public abstract void Commit();

    /// <summary>Frees all pages.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <inheritdoc cref="Dispose()"/>
    protected abstract void Dispose(bool disposing);

    /// <summary>How many pages to have when a number of them is needed: twice as many as before, but no more than <see cref="MostPages"/> unless needed.</summary>
    private protected int Grown(int present, int needed) => Math.Max(needed, (int)Math.Min(2L * present, MostPages));

    /// <summary>A tensor of a larger shape that begins with the rows of another, which it replaces; the rest is zero.</summary>
    private protected static Tensor Larger(Workspace store, Tensor? old, Shape shape)
    {
        Tensor larger = store.Zeros(shape);
        if (old is not null)
        {
            Tensor front = larger.Rows(0, old.Shape[0]);
            store.Device.Scale(old, 1f, front);
            front.Free();
            old.Free();
        }
        return larger;
    }

    /// <summary>Makes an array of scratch values long enough; its contents are lost.</summary>
    private protected static void Ensure(ref int[] array, int length)
    {
        if (array.Length < length)
            array = new int[Math.Max(length, array.Length * 2)];
    }
}

/// <summary>The place of one sequence in a cache.</summary>
public abstract class CachedSequence : IDisposable
{
    /// <summary>The number of tokens read so far.</summary>
    public int Length { get; internal set; }

    /// <summary>The adapter that the sequence is run with, or null: its source is encoded with it too.</summary>
    internal SequenceAdapter? Adapter { get; set; }

    /// <summary>Positions before the first token, which an adapter's prefix takes.</summary>
    internal virtual int Offset => 0;

    /// <summary>A second sequence that begins with this one's tokens; costs no copy until one of the two goes on within a shared page.</summary>
    public abstract CachedSequence Fork();

    /// <summary>
    /// Says how many tokens of the sequence are known, read or not. Where rotary frequencies change with the length and the sequence
    /// has come to that length, what was read with the others is forgotten, to be read anew.
    /// </summary>
    /// <param name="tokens">All known tokens, those already read included.</param>
    /// <param name="shortLimit">The length up to which the first frequencies hold (<see cref="RotaryEmbedding.ShortLimit"/>), or null.</param>
    public virtual void Expect(int tokens, int? shortLimit)
    {
    }

    /// <summary>Whether <see cref="Truncate"/> can go back to any length.</summary>
    internal virtual bool GoesBack => true;

    /// <summary>Forgets all tokens from a length on.</summary>
    /// <exception cref="NotSupportedException">The model's state cannot go back there (recurrent networks: only to 0).</exception>
    public abstract void Truncate(int length);

    /// <summary>Gives the pages back.</summary>
    public void Dispose()
    {
        Release();
        GC.SuppressFinalize(this);
    }

    /// <summary>Forgets everything, to be used no more.</summary>
    protected virtual void Release() => Truncate(0);
}
