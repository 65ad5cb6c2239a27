// Purpose: one SQLite file in WAL mode that is opened, locked and committed in one way, and whose errors are one line each.
// Source: https://sqlite.org/wal.html; synchronous=FULL: a transaction that has been acknowledged is on the disk.

using Microsoft.Data.Sqlite;

namespace Gradus.Applications.Retrieval.Indexing;

/// <summary>A SQLite file. One thread at a time; other connections and processes may read while one writes.</summary>
internal sealed class SqliteFile : IDisposable
{
    private const int Format = 1;
    private readonly Dictionary<string, SqliteCommand> _commands = [];
    private readonly SqliteConnection _connection;
    private SqliteTransaction? _transaction;

    /// <summary>Opens a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="schema">What makes the tables of a new file; null: the file has to be there.</param>
    /// <exception cref="InvalidDataException">It is no such file, or of a later version.</exception>
    public SqliteFile(string path, string? schema)
    {
        Path = path;
        if (schema is null && !File.Exists(path))
            throw new FileNotFoundException($"{path}: no such index; make one with `gradus rag index FOLDER --index {path}`.");
        _connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = path,
            Mode = schema is null ? SqliteOpenMode.ReadWrite : SqliteOpenMode.ReadWriteCreate,
            Pooling = false,
            DefaultTimeout = 10,
        }.ToString());
        try
        {
            _connection.Open();
            Run("PRAGMA journal_mode=WAL");
            Run("PRAGMA synchronous=FULL");
            Run("PRAGMA cache_size=-65536");
            Run("PRAGMA temp_store=MEMORY");
            CheckFormat(schema);
        }
        catch (SqliteException e)
        {
            _connection.Dispose();
            throw Describe(e);
        }
        catch
        {
            _connection.Dispose();
            throw;
        }
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Changes when another connection has written.</summary>
    public long DataVersion => Scalar("PRAGMA data_version") is long version ? version : 0;

    /// <summary>Runs work as a whole or not at all.</summary>
    /// <exception cref="IOException">Another process writes, the disk is full, or the file cannot be written.</exception>
    public void Write(Action work)
    {
        try
        {
            using SqliteTransaction transaction = _connection.BeginTransaction(deferred: false);
            _transaction = transaction;
            work();
            transaction.Commit();
        }
        catch (SqliteException e)
        {
            throw Describe(e);
        }
        finally
        {
            _transaction = null;
        }
    }

    /// <summary>Runs a statement.</summary>
    /// <returns>The rows that changed.</returns>
    public int Run(string sql, params ReadOnlySpan<object?> values) => Guard(Command(sql, values), c => c.ExecuteNonQuery());

    /// <summary>The first column of the first row, or null.</summary>
    public object? Scalar(string sql, params ReadOnlySpan<object?> values) => Guard(Command(sql, values), c => c.ExecuteScalar()) is { } value and not DBNull ? value : null;

    /// <summary>The rows of a query, all read before this returns.</summary>
    public List<T> Query<T>(string sql, Func<SqliteDataReader, T> row, params ReadOnlySpan<object?> values) => Guard(Command(sql, values), command =>
    {
        List<T> rows = [];
        using SqliteDataReader reader = command.ExecuteReader();
        while (reader.Read())
            rows.Add(row(reader));
        return rows;
    });

    /// <summary>The number of the row that was inserted last.</summary>
    public long LastRow => (long)Scalar("SELECT last_insert_rowid()")!;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (SqliteCommand command in _commands.Values)
            command.Dispose();
        _connection.Dispose();
    }

    private void CheckFormat(string? schema)
    {
        long version = (long)Scalar("PRAGMA user_version")!;
        if (version == 0 && schema is not null && (long)Scalar("SELECT count(*) FROM sqlite_master")! == 0)
        {
            Write(() =>
            {
                Run(schema);
                Run($"PRAGMA user_version={Format}");
            });
        }
        else if (version != Format)
        {
            throw new InvalidDataException(version == 0 ? $"{Path} is a SQLite file, but no index of this program; give another path." : $"{Path} was made by another version of this program (format {version}, this one reads {Format}); index the documents again.");
        }
    }

    private SqliteCommand Command(string sql, ReadOnlySpan<object?> values)
    {
        if (!_commands.TryGetValue(sql, out SqliteCommand? command))
        {
            command = _connection.CreateCommand();
            command.CommandText = sql;
            for (int i = 0; i < values.Length; i++)
                command.Parameters.Add(new SqliteParameter($"@{i + 1}", null));
            _commands[sql] = command;
        }
        for (int i = 0; i < values.Length; i++)
            command.Parameters[i].Value = values[i] ?? DBNull.Value;
        command.Transaction = _transaction;
        return command;
    }

    private T Guard<T>(SqliteCommand command, Func<SqliteCommand, T> run)
    {
        try
        {
            return run(command);
        }
        catch (SqliteException e)
        {
            throw Describe(e);
        }
    }

    // Result codes: https://sqlite.org/rescode.html.
    private Exception Describe(SqliteException e) => e.SqliteErrorCode switch
    {
        5 or 6 => new IOException($"{Path}: another process writes this index; wait until it is done.", e),
        8 or 14 => new IOException($"{Path}: cannot be opened for writing; check the folder and its permissions.", e),
        11 or 26 => new InvalidDataException($"{Path} is no index, or a damaged one; give another path, or index the documents again.", e),
        13 => new IOException($"{Path}: the disk is full; what was acknowledged before is kept. Free some space and run again.", e),
        10 => new IOException($"{Path}: the disk reports an error: {e.Message}", e),
        _ => new IOException($"{Path}: {e.Message}", e),
    };
}
