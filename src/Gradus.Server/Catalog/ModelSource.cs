namespace Gradus.Server.Catalog;

/// <summary>A model that the server may load.</summary>
/// <param name="Name">Its name in requests; letters, digits and <c>-_.:/</c>.</param>
/// <param name="Open">Loads it.</param>
public sealed record ModelSource(string Name, Func<CancellationToken, ServedModel> Open)
{
    /// <summary>Adapters beside each other on it, each under a model's name of its own.</summary>
    public IReadOnlyList<AdapterSource> Adapters { get; init; } = [];

    /// <summary>Whether it is loaded when the server starts.</summary>
    public bool Preload { get; init; } = true;

    /// <summary>When its files were written.</summary>
    public DateTimeOffset Created { get; init; } = DateTimeOffset.UtcNow;
}

/// <summary>An adapter that stands beside others on a model.</summary>
/// <param name="Name">Its name in requests.</param>
/// <param name="Folder">Its folder, in the layout of PEFT.</param>
public sealed record AdapterSource(string Name, string Folder);

/// <summary>A model that is in use: it stays loaded until this is disposed.</summary>
public sealed class ModelLease : IDisposable
{
    private Action? _release;

    internal ModelLease(string name, string? adapter, ServedModel model, Action release)
    {
        Name = name;
        Adapter = adapter;
        Model = model;
        _release = release;
    }

    /// <summary>The name that was asked for.</summary>
    public string Name { get; }

    /// <summary>The adapter that the name means; null for the model itself.</summary>
    public string? Adapter { get; }

    /// <summary>The model.</summary>
    public ServedModel Model { get; }

    /// <summary>Gives it back.</summary>
    public void Dispose() => Interlocked.Exchange(ref _release, null)?.Invoke();
}

/// <summary>What is known of a name.</summary>
/// <param name="Name">The name.</param>
/// <param name="Source">The model.</param>
/// <param name="Adapter">The adapter on it; null for the model itself.</param>
/// <param name="Model">The model, where it is loaded.</param>
/// <param name="InUse">How many use it.</param>
/// <param name="Expires">When it leaves if nobody uses it; null for never, or where it is not loaded.</param>
public sealed record CatalogName(string Name, ModelSource Source, string? Adapter, ServedModel? Model, int InUse, DateTimeOffset? Expires);
