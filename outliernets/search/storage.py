"""Where a study is kept: a journal file in its folder, or a database that machines share."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outliernets.errors import ConfigError, MissingToolError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study

VERSION = 3  #: of what trials and studies hold; to be raised when that changes
IDENTITY = "ongen"  #: the study's attribute that says what it is about
JOURNAL = "study.journal"
HEARTBEAT = 20  #: seconds between two signs of life of a worker ...
GRACE = 3  #: ... of which so many may be missed
RETRIES = 3  #: of a trial whose worker was killed; perhaps it was the trial that killed it
#: SQLAlchemy's names of drivers that come with ``ongen[search]``
DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


def optuna() -> Any:
    """Return the ``optuna`` module, without its chatter; MissingToolError where there is none."""
    import warnings

    try:
        import optuna
    except ImportError:
        raise MissingToolError("a search needs Optuna: pip install 'ongen[search]'") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna


def retry(study: "Study", trial: Any) -> None:
    """Have a trial that was broken off tried again, with the same decisions."""
    optuna().storages.RetryHeartbeatStaleTrialCallback(max_retry=RETRIES)(study, trial)


def open_storage(url: str | None, folder: Path, heartbeat: int = HEARTBEAT) -> "BaseStorage":
    """Return the storage at ``url``, None: the journal in ``folder``.

    Raise ConfigError, without any password, for one that cannot be reached or read.
    """
    storages = optuna().storages
    if url is None:
        folder.mkdir(parents=True, exist_ok=True)
        with readable(str(folder / JOURNAL)):
            journal = _journal()(str(folder / JOURNAL))
            return storages.JournalStorage(journal)  # type: ignore[no-any-return]
    with readable(url):
        return storages.RDBStorage(  # type: ignore[no-any-return]
            _with_driver(url),
            engine_kwargs={"pool_pre_ping": True},
            heartbeat_interval=heartbeat,
            grace_period=GRACE * heartbeat,
            heartbeat_stale_trial_callback=retry,
        )


@cache
def _journal() -> Any:
    class Journal(optuna().storages.journal.JournalFileBackend):  # type: ignore[misc]
        """A journal that can hold entries back: the disk is waited for with each writing."""

        held: list[dict[str, Any]] | None = None

        def append_logs(self, logs: list[dict[str, Any]]) -> None:
            if self.held is None:
                super().append_logs(logs)
            else:
                self.held += logs

    return Journal


@contextmanager
def together(storage: "BaseStorage") -> Iterator[None]:
    """Write the trials that are added meanwhile in one go, where the storage can."""
    journal: Any = getattr(storage, "_backend", None)
    if not isinstance(journal, _journal()):
        yield
        return
    journal.held = []
    try:
        yield
    finally:
        held, journal.held = journal.held, None
        if held:
            journal.append_logs(held)


@contextmanager
def readable(where: str) -> Iterator[None]:
    """Turn what storages raise into one line."""
    import sqlalchemy.exc

    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingToolError(
            f"storage {hidden(where)} needs the package {error.name}; pip install it"
        ) from None
    except sqlalchemy.exc.ArgumentError:
        raise ConfigError(
            f"storage '{hidden(where)}' is no URL; give one such as "
            "postgresql://user@host/name, mysql+pymysql://user@host/name or sqlite:///file.db"
        ) from None
    except sqlalchemy.exc.SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise ConfigError(f"unreachable storage: {hidden(where)}: {reason}") from None
    except OSError as error:
        raise ConfigError(f"unreachable storage: {where}: {error.strerror}") from None
    except (RuntimeError, ValueError, KeyError) as error:
        if not _is_about_storage(error):
            raise
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(
            f"storage {hidden(where)} was written by another version, or is damaged: {reason}"
        ) from None


def _is_about_storage(error: Exception) -> bool:
    """Whether Optuna's storages raised it: they have no error of their own for it."""
    trace, module = error.__traceback__, ""
    while trace is not None:
        module, trace = trace.tb_frame.f_globals.get("__name__", ""), trace.tb_next
    return module.startswith(("optuna.storages", "json"))


def hidden(url: str) -> str:
    """Return a URL without its password."""
    import sqlalchemy

    try:
        return sqlalchemy.make_url(url).render_as_string(hide_password=True)
    except sqlalchemy.exc.ArgumentError:
        return url.rpartition("@")[2]


def _with_driver(url: str) -> str:
    kind, separator, rest = url.partition("://")
    return f"{DRIVERS.get(kind, kind)}{separator}{rest}"


def open_study(storage: "BaseStorage", name: str, identity: Mapping[str, Any], where: str) -> Any:
    """Return the study ``name``, made if it is not there.

    ``identity`` says what it is about, ``where`` names the storage. Raise ConfigError for a study
    about something else: one line that says what differs.
    """
    module = optuna()
    with readable(where):
        study = module.create_study(
            storage=storage,
            study_name=name,
            direction="maximize",
            load_if_exists=True,
            pruner=module.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3),
        )
        found = study.user_attrs.get(IDENTITY)
        if found is None and not study.get_trials(deepcopy=False):
            found = dict(identity)
            study.set_user_attr(IDENTITY, found)
    _check(found, identity, f"study '{name}' in {hidden(where)}")
    return study


def load_study(storage: "BaseStorage", name: str) -> Any:
    """Return a study that is there; ConfigError if it is not."""
    module = optuna()
    try:
        return module.load_study(study_name=name, storage=storage)
    except KeyError:
        raise ConfigError(f"the storage has no study '{name}'; run 'ongen search' first") from None


def _check(found: Any, identity: Mapping[str, Any], which: str) -> None:
    if not isinstance(found, dict) or (found.get("storage"), found.get("space")) != (
        identity["storage"],
        identity["space"],
    ):
        raise ConfigError(
            f"{which}: the storage was written by another version of ongen; search with that "
            "version, or begin another study with --study NAME"
        )
    if found.get("data") != identity["data"]:
        raise ConfigError(
            f"{which}: the task's data changed since the study began; bring it back, or begin "
            "another study with --study NAME"
        )
    for name, value in identity.items():
        if found.get(name) != value:
            raise ConfigError(
                f"{which}: it was begun with {name} = {found.get(name)}, not {value}; use the "
                "same, or begin another study with --study NAME"
            )
