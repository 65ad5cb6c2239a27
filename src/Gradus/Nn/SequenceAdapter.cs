namespace Gradus.Nn;

/// <summary>
/// An adapter that single sequences are run with, beside others on the same model (<see cref="Pass.Adapters"/>). Two of the same name are not the
/// same: one that was loaded again has other values. It is freed when it has been unloaded and no sequence uses it any more.
/// </summary>
public sealed class SequenceAdapter
{
    private readonly Action<SequenceAdapter> _free;
    private int _users = 1;

    /// <summary>Begins with one user, its owner.</summary>
    /// <param name="name">The name that requests give.</param>
    /// <param name="free">Called once, when the last user has released it.</param>
    internal SequenceAdapter(string name, Action<SequenceAdapter> free)
    {
        Name = name;
        _free = free;
    }

    /// <summary>The name that requests give.</summary>
    public string Name { get; }

    /// <summary>Whether it has been freed.</summary>
    internal bool IsFreed => Volatile.Read(ref _users) == 0;

    /// <summary>Adds a user; false if it has been freed.</summary>
    internal bool TryAcquire()
    {
        while (true)
        {
            int users = Volatile.Read(ref _users);
            if (users == 0)
                return false;
            if (Interlocked.CompareExchange(ref _users, users + 1, users) == users)
                return true;
        }
    }

    /// <summary>Takes a user away.</summary>
    internal void Release()
    {
        if (Interlocked.Decrement(ref _users) == 0)
            _free(this);
    }

    /// <inheritdoc/>
    public override string ToString() => Name;
}
